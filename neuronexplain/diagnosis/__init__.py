"""What a report of a bug needs: software, machine, database, and what is wrong with them, without private places."""
