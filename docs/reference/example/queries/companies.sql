SELECT id AS object_id, name, industry
FROM companies
