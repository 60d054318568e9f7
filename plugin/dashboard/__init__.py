"""The dashboard under `/admin`: a blueprint a page, rendered on the server, without scripts and without a network."""
