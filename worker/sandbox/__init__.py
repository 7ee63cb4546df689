"""
Local stand-ins for both vendors: real protocols over loopback, state in memory.
Imports nothing of ours, so that a mistake of an adapter cannot hide in both.
"""
