trait Shop {
    #[bellwether::observe]
    fn checkout(&self);
}

fn main() {}
