"""Callbacks of dlrun's own: `callbacks: [{name: activation_logger}]` is `activation_logger.py`."""
