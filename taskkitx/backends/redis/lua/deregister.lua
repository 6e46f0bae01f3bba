-- needs: common burying
while at < #ARGV do
  bury(take())
end
return 1
