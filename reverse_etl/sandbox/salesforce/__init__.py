"""A stand-in for Salesforce: sign-in, describe, collections, SOQL, Bulk API 2.0, limits."""
