"""The Broden layout on disk: reading it, its tables and writing it. Every other layout is converted into this one."""
