"""The store on Redis or Valkey: keys and their meaning in `keys`, what changes them in `lua/*.lua`."""
