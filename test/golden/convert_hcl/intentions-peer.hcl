Kind = "service-intentions"
Name = "api"
Sources {
  Name = "web"
  Peer = "cluster-02"
  Action = "allow"
}
