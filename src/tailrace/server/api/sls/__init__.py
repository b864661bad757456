"""The SLS REST API, one file per resource. Each has a table `ROUTES`."""
