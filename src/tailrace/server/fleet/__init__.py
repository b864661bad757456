"""The agents of this server: how they join, what keys they get, which of two that claim one id keeps it."""
