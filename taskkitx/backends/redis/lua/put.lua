-- needs: common place rows putting
return put_all()
