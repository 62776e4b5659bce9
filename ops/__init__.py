"""The launcher behind ./mana: gets the servers, starts and supervises everything, stops it again."""
