# Of the settings of an agent.
config_entries {
  bootstrap = [
    {
      Kind = "service-router"
      Name = "shop"
      Routes = [
        {
          Match = {
            HTTP = {
              PathPrefix = "/cart"
            }
          }
          Destination = {
            Service = "cart"
          }
        },
      ]
    },
    {
      Kind = "service-splitter"
      Name = "cart"
      Splits = [
        {
          Weight        = 75
          ServiceSubset = "v1"
        },
        {
          Weight  = 25
          Service = "cart-next"
        },
      ]
    },
    {
      Kind = "service-resolver"
      Name = "cart-next"
      Redirect = {
        Service       = "cart"
        ServiceSubset = "v2"
      }
    },
    {
      Kind = "service-resolver"
      Name = "cart"
      Subsets = {
        v1 = {
          Filter = "Service.Meta.version == \"v1\""
        }
        v2 = {
          Filter = "Service.Meta[\"version\"] == v2 and Service.Meta.env == prod"
        }
      }
    },
    {
      Kind     = "service-defaults"
      Name     = "shop"
      Protocol = "http"
    },
  ]
}
