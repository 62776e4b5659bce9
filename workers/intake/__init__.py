"""Deliveries become a batch, its answers become replies and acknowledgements; leases say whose deliveries are ours."""
