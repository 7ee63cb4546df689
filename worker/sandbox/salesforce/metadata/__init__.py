"""The Metadata API: deploys of zipped packages that change the org's schema."""
