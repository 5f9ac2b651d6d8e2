//! What an X.509 certificate's DER says about the attributes of its object.
