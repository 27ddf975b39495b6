kind = "ingress-gateway"
name = "edge"
listeners = [
  {
    port = 8080
    protocol = "http"
    services = [
      {
        name = "web"
      },
    ]
  },
]
