"""What a network gets wrong, and what tells the wrong class from the right one."""
