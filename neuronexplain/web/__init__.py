"""Web applications, for a browser on this machine or a team behind a proxy: the one room that needs the web extra."""
