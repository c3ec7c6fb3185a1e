"""A stand-in Customer.io workspace: Track API, App API, and a page to look at it."""
