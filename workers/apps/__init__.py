"""Makes the broker's logins of apps as the database's rows say."""
