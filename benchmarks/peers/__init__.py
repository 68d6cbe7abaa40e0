"""Those that loopcell is compared with. Each may be absent; a result then says so."""
