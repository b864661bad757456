"""What a Logtail (iLogtail) leaves on a machine, and how this agent goes on with it (`tailrace import-ilogtail`)."""
