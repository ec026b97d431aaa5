"""Management API: routes, access levels, configuration, logins."""
