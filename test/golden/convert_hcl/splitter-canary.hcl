# Of the settings of an agent.
config_entries {
  bootstrap = [
    {
      Kind = "service-splitter"
      Name = "web"
      Splits = [
        {
          Weight        = 90
          ServiceSubset = "v1"
        },
        {
          Weight        = 10
          ServiceSubset = "v2"
        },
      ]
    },
    {
      Kind          = "service-resolver"
      Name          = "web"
      DefaultSubset = "v1"
      Subsets = {
        v1 = {
          Filter = "Service.Meta.version == v1"
        }
        v2 = {
          Filter      = "Service.Meta.version == v2"
          OnlyPassing = true
        }
      }
    },
  ]
}
