SELECT auth.put_off_erasure()
