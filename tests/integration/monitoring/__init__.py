"""What watches: rules, dashboards, and the documents that go with them."""
