"""What is said to the agent beside its data: by its server over HTTPS, by people over the local socket."""
