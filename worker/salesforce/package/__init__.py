"""What we put into an org, as SFDX source, and the archive made of it."""
