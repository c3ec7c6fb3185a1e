SELECT company_id AS object_id, email
FROM memberships
