"""How each op is lowered for CPUs: tables in files with the names of the families of `septet.ops`."""
