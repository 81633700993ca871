"""What makes the tiny assistant from a seed. The package around it, which users load, never imports this room."""
