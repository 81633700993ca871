"""Generating text: tokens drawn step by step, for measurements and for people."""
