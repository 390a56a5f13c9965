"""Where samples come from: one module for each format. What a format needs is imported when it is used."""
