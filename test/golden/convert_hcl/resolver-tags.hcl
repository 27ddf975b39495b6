kind = "service-resolver"
name = "web"
subsets = {
  prod {
    filter = "prod in Service.Tags"
  }
}
