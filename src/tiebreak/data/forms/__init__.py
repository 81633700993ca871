"""From a row in any known form to its canonical row: what each form is, and which one a source has."""
