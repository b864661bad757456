"""What `tailrace up` is made of: child processes, the first run's set-up, what is collected, and the screen."""
