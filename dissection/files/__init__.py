"""Files and folders: written whole or not at all, unpacked, fetched. What is in them is for others to say."""
