"""Stand-ins for the services that rows are sent to, over real HTTP. They import nothing of what they test.

A folder with a module ``standin`` is one of them; what they share is in the modules here.
"""
