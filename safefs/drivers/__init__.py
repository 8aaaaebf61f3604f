"""What a Disk stands on."""
