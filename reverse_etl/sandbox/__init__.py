"""Stand-ins for the services that rows are sent to, over real HTTP; they import nothing that they are witnesses of.

A folder with a module ``standin`` is one of them; what they share is in the modules here.
"""
