-- needs: common place putting
-- As put, for tasks without unique keys: setting the scene for those takes longer than putting one of these.
return put_all()
