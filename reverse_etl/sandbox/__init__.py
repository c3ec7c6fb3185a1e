"""A stand-in Customer.io workspace over real HTTP; imports nothing from the rooms it is a witness of."""
