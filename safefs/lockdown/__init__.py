"""Lock-down: this process and all it starts keep the disks, and no other file (Linux, Landlock)."""
