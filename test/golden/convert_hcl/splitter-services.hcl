Kind = "service-splitter"
Name = "web"
Splits {
  Weight = 50
  Service = "web"
}
Splits {
  Weight = 49.5
  Service = "web-rewrite"
}
Splits {
  Weight = 0.5
  Service = "web-next"
  RequestHeaders {
    Set = {
      x-web-version = "next"
    }
  }
  ResponseHeaders {
    Set = {
      x-web-version = "next"
    }
  }
}
