"""The command line: one small module a command that parses, calls and prints. No logic lives here."""
