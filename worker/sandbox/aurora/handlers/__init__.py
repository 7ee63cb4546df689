"""One module for each of the vendor's APIs, and one for the control pages."""
