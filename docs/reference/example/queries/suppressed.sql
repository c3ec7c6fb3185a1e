SELECT email
FROM suppressed
