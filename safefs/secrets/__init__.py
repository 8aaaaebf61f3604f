"""What must not be read by everybody: ``redaction`` keeps it out of what is shipped."""
