kind = "service-intentions"
name = "db"
sources = [
  {
    name = "legacy"
    action = "deny"
    description = "goes next year"
  },
  {
    name = "*"
    action = "allow"
  },
]
