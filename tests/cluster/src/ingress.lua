-- Which pod a request goes to: the list that the watcher put for the service, one after the other.
local balancer = require "ngx.balancer"
local list = ngx.shared.endpoints:get(ngx.var.service) or ""
local addresses = {}
for address in list:gmatch("%S+") do addresses[#addresses + 1] = address end
if #addresses == 0 then return ngx.exit(503) end
local turn = ngx.shared.turns:incr(ngx.var.service, 1, 0)
local host, port = addresses[turn % #addresses + 1]:match("^(.+):(%d+)$")
assert(balancer.set_current_peer(host, tonumber(port)))
